"""How well a language model recognises subgoals, on sets of labelled transitions."""
