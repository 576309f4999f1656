"""Many entities at once: what they share, what they do not, and what a group owes together.

portfolio file (`file`) -> entities with their scenarios (`members`), looked at beforehand
(`survey`), each simulated on draws of its own but for what acts on the whole nation -> a store
(`run`) -> read with what groups owe together (`read`, `groups`)
"""
