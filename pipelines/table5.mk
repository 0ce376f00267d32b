# Table 5: what is distilled. TransPMamba-T by features (four distances), logits and WSAB, each from
# fresh weights and from subcloned ones; and with units chosen at random.
include pipelines/rules/all.mk

TABLE5_ARMS := scratch subcloned feature-rc feature-cos feature-l1 feature-l2 logits wsab \
	feature-rc-subcloned feature-cos-subcloned feature-l1-subcloned feature-l2-subcloned \
	logits-subcloned trans random
TABLE5_SET := $(or $(filter imagenet100,$(SCALE_SETS)),$(firstword $(SCALE_SETS)))
$(foreach a,$(TABLE5_ARMS),\
	$(call student_row,table5,$a-t,$(TABLE5_SET),$a,t,$(call share_of,$a)))
$(eval $(call table_rules,table5))

.PHONY: table5
table5: $(TABLE_table5) ## Table 5: what is distilled, each fresh and subcloned
	$(call show_table,table5)
