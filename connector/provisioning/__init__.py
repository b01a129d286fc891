"""What a new installation needs, derived from mapping and configuration: fields, permissions, policies, files."""
