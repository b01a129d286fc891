"""The REST resources, one family a module: each handler takes the org and a call, and gives a reply."""
