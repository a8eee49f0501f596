"""The vocabulary of snipbench as immutable types. Imports nothing but the kernel."""
