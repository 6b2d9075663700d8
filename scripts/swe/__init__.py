"""Playing software-engineering tasks in words."""
