"""Everything that ``connector check`` looks at. Each part gives findings; none of them writes anything anywhere."""
