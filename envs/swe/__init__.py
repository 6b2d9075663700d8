"""Software-engineering tasks: programs with a bug, sandboxes that run them, and graders."""
