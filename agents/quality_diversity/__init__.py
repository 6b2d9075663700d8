"""Quality-diversity: populations of small policies that collect behaviours and improve rewards."""
