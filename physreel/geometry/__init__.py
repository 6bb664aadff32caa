"""Geometry that several stages need: rotations, masses, hulls, meshes, keyframes. Imports spec only."""
