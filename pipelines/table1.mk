# Table 1: sizes of the networks. Nothing is trained: parameters are counted.
include pipelines/rules/all.mk

# As printed: 100 classes, networks as published, so students without an added MLP and teachers with
# their own; beside it 1,000 classes, and the MLP that students get.
TABLE1_OPTIONS_100 := --classes 100
TABLE1_OPTIONS_1000 := --classes 1000
TABLE1_OPTIONS_mlp := --classes 100 --mlp-ratio 4

TABLE1_COUNTS := 100 1000 mlp
ROWS_table1 := $(TABLE1_COUNTS:%=$R/table1/rows/%.tsv)
TABLE1_NAMES := $(shell sed -n 's/^row = *\([^ |]*\).*/\1/p' pipelines/tables/table1.conf)
$(ROWS_table1): $R/table1/rows/%.tsv: pipelines/table1.mk pipelines/tables/table1.conf \
		$(BY) $(BIN)/init-weights
	@mkdir -p $(@D)
	$(Q)$(BIN)/init-weights --list $(TABLE1_OPTIONS_$*) | awk -F'\t' -v OFS='\t' -v set=$* ' \
		NR == 1 { for (i = 1; i <= NF; i++) at[$$i] = i; print "name", "set", "seed", "millions" } \
		" $(TABLE1_NAMES) " ~ " " $$at["arch"] " " { print $$at["arch"], set, 0, $$at["parameters"] / 1e6 }' > $@.new
	@mv $@.new $@
SCALE_NOTE_table1 := Counted; nothing depends on scale or seed.
$(eval $(call table_rules,table1))

.PHONY: table1
table1: $(TABLE_table1) ## Table 1: parameters of the networks, counted
	@cat $R/table1/table1.md
