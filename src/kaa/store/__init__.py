"""The package cache: wheels and interpreters turned into packages; locks; where things lie."""
