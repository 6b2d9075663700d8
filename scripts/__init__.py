"""What a person runs: train, evaluate, compare, ... Each parses its command line, calls its rooms and prints.

Only here is the configuration opened. Imports run downwards:
configuration < running < results < annotation, rocket, benchmarks < experiments < the commands.
"""
