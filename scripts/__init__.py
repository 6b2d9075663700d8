"""What a person runs. Each command parses its words, calls its rooms and prints.

Only here is the configuration opened. Imports run downwards:
configuration < running < results < annotation, rocket, benchmarks < experiments < the commands.
"""
