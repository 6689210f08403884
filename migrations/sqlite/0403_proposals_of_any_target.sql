-- A proposal is now about any object of the plan and not only a job. Those of the earlier form live five
-- minutes at most, so they end here instead of being rewritten.
DELETE FROM proposals;
