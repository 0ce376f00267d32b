# Where stages run: CLUSTER=local (here; a GPU for each that wants one), slurm (each a job that make
# waits for) or submit (what `make submit` does: all jobs at once, with dependencies).
#
# WANTS of a target is what its stage asks for, in words of pipelines/cluster/ask; the scales set
# WANTS_data (also of a target without), _weights, _train, _calibrate and _evaluate.

CLUSTER ?= local
ifeq ($(filter $(CLUSTER),local slurm submit),)
$(error CLUSTER=$(CLUSTER) is neither local nor slurm)
endif

WANTS_data ?= cores=1 gpus=0 hours=1
WANTS_weights ?= cores=1 gpus=0 hours=0.5
WANTS_train ?= cores=1 gpus=0 hours=2
WANTS_calibrate ?= $(WANTS_train)
WANTS_evaluate ?= $(WANTS_train)
WANTS_gpus = $(patsubst gpus=%,%,$(filter gpus=%,$(WANTS)))

ifneq ($(filter slurm submit,$(CLUSTER)),)
include pipelines/cluster/site.mk
export SITE_ACCOUNT SITE_PARTITION SITE_PARTITION_GPU SITE_QOS SITE_OPTIONS SITE_MODULES SITE_SCRATCH \
	SITE_GPU SITE_MEMORY FS_WAIT
endif
ifeq ($(CLUSTER),slurm)
LAUNCH = pipelines/cluster/slurm $@ $(or $(WANTS),$(WANTS_data)) --
ifeq ($(shell command -v sbatch)$(findstring n,$(filter-out --%,$(firstword -$(MAKEFLAGS)))),)
$(error sbatch is not found: run make where Slurm is, or without CLUSTER=slurm)
endif
else ifeq ($(CLUSTER),submit)
$(if $(SUBMITTED),,$(error CLUSTER=submit is what `make submit TABLE=...` says to itself))
# A recipe is handed, whole, to a shell that makes a job of it.
.ONESHELL:
SHELL := pipelines/cluster/submit
.SHELLFLAGS = target=$@ $(or $(WANTS),$(WANTS_data)) -- $^ --
else
LAUNCH ?= $(if $(filter-out 0,$(WANTS_gpus)),pipelines/cluster/local $(WANTS_gpus))
endif
STOP_EARLY := $(if $(STOP_BEFORE),--stop-before $(STOP_BEFORE))

.PHONY: submit
submit: $(if $(filter 1,$(GO)),all) ## a table's jobs for Slurm, all at once: TABLE=table2 prints them, GO=1 submits them
	@TABLE='$(TABLE)' pipelines/cluster/submit-all $(MAKE) --no-print-directory -j1 CLUSTER=submit
