"""The pure part: decides what should be done. No I/O, no clock, no logging, no environment."""
