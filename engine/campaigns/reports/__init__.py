"""Reports of campaigns: the preview of a launch, and the funnel."""
