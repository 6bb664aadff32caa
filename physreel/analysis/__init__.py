"""Reading trajectories: impacts, supports, rest. For scenes, labels and renderers alike; imports spec, geometry, values."""
