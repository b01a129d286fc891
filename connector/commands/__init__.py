"""What each command does once its arguments are read: calls the application and prints the answer."""
