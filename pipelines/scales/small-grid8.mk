# small-grid8: small, with students of 8 x 8 tokens, as many as their teachers have.

include pipelines/scales/small.mk
SCALE_BASE := small
TEACHERS := build/runs/small
STUDENT_SHAPE := --input 64 --patch 8
