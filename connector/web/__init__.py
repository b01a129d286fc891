"""What a daemon or worker serves over HTTP: its health, its metrics and a page for people. Decides nothing."""
