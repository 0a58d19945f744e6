package tree

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestDemangle(t *testing.T) {
	for symbol, name := range map[string]string{
		"_ZN4vllm24reshape_and_cache_kernelEPKfS1_PfS2_PKl": "vllm::reshape_and_cache_kernel",
		"_ZN4vllm15rms_norm_kernelIfEEvPT_":                 "vllm::rms_norm_kernel",
		"_Z3addPKf":                                         "add",
		"sgemm":                                             "",
		"_ZN4vl":                                            "",
		"_ZN99xE":                                           "",
		"_Z":                                                "",
		"_ZL99999999999999999999x":                          "",
	} {
		assert.Equal(t, name, demangle(symbol), symbol)
	}
}
