"""Pictures: where each pixel goes, and the way between two latents."""
