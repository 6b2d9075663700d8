"""Software-engineering tasks: programs with a bug, sandboxes that run them, graders that judge them."""
