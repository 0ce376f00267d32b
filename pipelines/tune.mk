# Trials of the learning rate, the same for both: training from scratch and the whole method, at seed
# 0, judged by the images held out for validation. The test set is not looked at.
include pipelines/rules/all.mk

TUNE_ARMS ?= scratch trans
TUNE_SIZE ?= t
TUNE_LR ?= 5e-4 1e-3 2e-3
TUNE_SET := $(firstword $(SCALE_SETS))

# $1 ARM, $2 rate, $3 folder of the trial, $4 its first weights
define tune_rules
TUNE += $3/last.h5
$3/last.h5: private WANTS := $(WANTS_train)
$3/last.h5: $4 $(call students_of,$(TUNE_SET),$(call share_of,$1)) $(VALID_$(TUNE_SET)) \
		$(if $(filter $1,$(ARMS_TAUGHT)),$(call teacher_of,$(TUNE_SET),$(TUNE_SIZE))) \
		$(if $(filter $1,$(ARMS_CALIBRATED)),$(dir $4)map.h5) \
		$(call in_order,student,$(TUNE_SIZE)) $(RECIPE_$1) $(BY) $(BIN)/distill-step
	@pipelines/make/drop-old-state $3/state.h5 $$^
	$$(Q)$$(RUN) $(BIN)/distill-step $(TRAIN)--seed 0 --init $4 $L\
		$(if $(filter $1,$(ARMS_TAUGHT)),--teacher $(call teacher_of,$(TUNE_SET),$(TUNE_SIZE)) $L)\
		$(if $(filter $1,$(ARMS_CALIBRATED)),--calibration $(dir $4)map.h5 $L)\
		--data $(call students_of,$(TUNE_SET),$(call share_of,$1)) --valid $(VALID_$(TUNE_SET)) $L\
		$(call recipes,student,$(TUNE_SIZE),$(RECIPE_$1)) --set lr=$2 $L\
		$(STOP_EARLY) --state $3/state.h5 --metrics $3/metrics.tsv -o $3/last.h5
endef

$(foreach a,$(TUNE_ARMS),$(call need_student,$(TUNE_SET),$a,$(TUNE_SIZE),$(call share_of,$a),0)$(foreach \
	r,$(TUNE_LR),$(eval $(call tune_rules,$a,$r,$W/$(TUNE_SET)/tune-$(TUNE_SIZE)/$a-$r,$(call \
	begin_of,$(TUNE_SET),$a,$(TUNE_SIZE),$(call share_of,$a),0)))))

$R/tune/tune.tsv: $(TUNE)
	@mkdir -p $(@D)
	@{ printf 'arm\tlr\tvalid_top1\n'; for f in $(TUNE:%/last.h5=%); do \
		name=$${f##*/}; printf '%s\t%s\t' "$${name%%-*}" "$${name#*-}"; \
		awk -F'\t' 'NR == 1 { for (i = 1; i <= NF; i++) at[$$i] = i } \
			$$at["valid_top1"] ~ /[0-9]/ { v = $$at["valid_top1"] } END { print v }' $$f/metrics.tsv; \
	done; } > $@.new
	@mv $@.new $@

.PHONY: tune
tune: $R/tune/tune.tsv ## trials of the learning rate on held-out images (TUNE_LR, TUNE_ARMS, TUNE_SIZE)
	@cat $<
