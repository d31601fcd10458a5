# What a managed Spark needs, in dist/; deploy/package.sh says more.
.PHONY: package
package:
	./deploy/package.sh --all
