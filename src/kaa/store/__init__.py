"""The package cache, wheels and interpreters converted into packages, locks, and where things lie."""
