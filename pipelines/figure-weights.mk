# What the adaptive loss did: the cosine between student and teacher and the weight of every layer and
# scan direction, epoch by epoch, of the whole method on every network. Maps of both, lines of the
# layers, and the values as TSV.
include pipelines/rules/all.mk

# $1 SIZE, $2 the picture without its ending, $3 the runs of all seeds
define figure_weights_rules
FIGURE_WEIGHTS += $2.svg $2.lines.svg
$2.tsv $2.layers.tsv &: $(addsuffix /last.h5,$3)
	@mkdir -p $$(@D)
	$(Q)pipelines/make/layers $2 $(addsuffix /metrics.tsv,$3)
$2.png $2.svg &: $2.tsv $(BY) $(BIN)/plot-chart
	$(Q)$(BIN)/plot-chart --kind cells --x epoch --label name $L\
		--title 'Trans$(NETWORK_$1): scale $(SCALE), $(MAIN_SET), $(SEEDS) seed(s)' $L\
		--panel cosine --y cosine --panel weight --y weight -o $2 $$<
$2.lines.png $2.lines.svg &: $2.layers.tsv $(BY) $(BIN)/plot-chart
	$(Q)$(BIN)/plot-chart --kind lines --x epoch --group name $L\
		--title 'Trans$(NETWORK_$1), mean over directions: scale $(SCALE), $(MAIN_SET), $(SEEDS) seed(s)' $L\
		--panel cosine --y cosine --panel weight --y weight -o $2.lines $$<
endef

$(foreach z,$(FIGURE_SIZES),$(foreach s,$(SEED_LIST),$(call \
	need_student,$(MAIN_SET),trans,$z,$(SHARE_trans),$s)))
$(foreach z,$(FIGURE_SIZES),$(eval $(call figure_weights_rules,$z,$R/figure-weights/figure-weights-$z,$(foreach \
	s,$(SEED_LIST),$(call run_dir,$(MAIN_SET),trans,$z,$(SHARE_trans))/$s))))

.PHONY: figure-weights
figure-weights: $(FIGURE_WEIGHTS) ## cosine and weight of each layer and scan direction by epoch (PNG, SVG, TSV)
	@echo 'Pictures: $(FIGURE_WEIGHTS)'
