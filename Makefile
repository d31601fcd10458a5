# What a managed Spark needs, in build/package/; deploy/package.sh says more.
.PHONY: package
package:
	./deploy/package.sh --all
