-- Distances between vectors and the index that finds the nearest ones.
CREATE EXTENSION IF NOT EXISTS vector;
