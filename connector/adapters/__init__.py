"""The only modules that import a vendor's library. Each implements one port, alone."""
