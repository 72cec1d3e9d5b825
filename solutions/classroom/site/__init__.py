"""The page for the world: the executed chapters with their gaps open, a gallery, and how to teach with them. No solutions.

It reads chapters and documents and writes a folder of plain pages; nobody but the command line comes in.
"""
