"""Web Push: calls reach agents who have closed the tab, if they want it. Beside the work, and never in its way."""
