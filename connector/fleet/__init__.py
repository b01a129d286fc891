"""Workers on several machines that share the connections of one database, by way of its job queue."""
