# Linear against quadratic, measured: time and memory of teacher and students from 224 to 1,280 pixels,
# forward alone and a whole training step. On the CPU one image at a time; LENGTH_DEVICE=auto takes a
# GPU where there is one. Nothing else should run beside it; what was measured is kept.
include pipelines/rules/all.mk

LENGTH_NETWORKS ?= deit-t pmamba-t vim-t vmamba-v0-t
LENGTH_PIXELS ?= 224 320 448 640 896 1280
LENGTH_BATCH ?= 1
LENGTH_DEVICE ?= cpu
LENGTH_SECONDS ?= 180# a measurement that takes longer is a dash

FIGURE_LENGTH := $R/figure-length/figure-length
LENGTH_ROWS := $R/figure-length/rows/$(LENGTH_DEVICE)-$(LENGTH_BATCH)
LENGTH_PARTS = $(foreach n,$(LENGTH_NETWORKS),$(foreach p,$(LENGTH_PIXELS),$(LENGTH_ROWS)/$n.$p.tsv))

# What is asked for; another list makes another figure from the rows that it has.
$R/figure-length/asked: FORCE
	@echo '$(LENGTH_NETWORKS): $(LENGTH_PIXELS) $(LENGTH_BATCH) $(LENGTH_DEVICE)' | pipelines/make/update $@
$(FIGURE_LENGTH).tsv: $R/figure-length/asked $(BY) $(BIN)/bench-step
	$(Q)$(LAUNCH) pipelines/make/length $(BIN) $(LENGTH_ROWS) $(LENGTH_BATCH) $(LENGTH_DEVICE) \
		$(LENGTH_SECONDS) '$(LENGTH_NETWORKS)' '$(LENGTH_PIXELS)'
	@awk 'NR == 1 || FNR > 1' $(LENGTH_PARTS) > $@.new
	@mv $@.new $@
$(FIGURE_LENGTH).md: $(FIGURE_LENGTH).tsv pipelines/make/length-table
	@pipelines/make/length-table $< > $@.new
	@mv $@.new $@
$(FIGURE_LENGTH).png $(FIGURE_LENGTH).svg &: $(FIGURE_LENGTH).tsv $(BY) $(BIN)/plot-chart
	$(Q)$(BIN)/plot-chart --kind lines --x 'pixels=side of the input (pixels)' --group network --log xy \
		--title 'Time and memory by the size of the input, batch $(LENGTH_BATCH)' \
		--y 'forward ms' --panel 'training step (ms)' --y 'training ms' \
		--panel 'memory, forward (MiB)' --y 'forward MiB' --panel 'memory, training (MiB)' --y 'training MiB' \
		-o $(FIGURE_LENGTH) $<

.PHONY: figure-length
figure-length: $(FIGURE_LENGTH).md $(FIGURE_LENGTH).svg ## time and memory from 224 to 1,280 pixels, teacher and students
	@cat $(FIGURE_LENGTH).md
	@echo 'Pictures: $(FIGURE_LENGTH).svg'
