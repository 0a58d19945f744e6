package requestcauseprocessor

// genAI are the attributes that vLLM writes, and those that took after it.
func genAI() FieldsConfig {
	return FieldsConfig{
		Queue:            "gen_ai.latency.time_in_queue",
		Prefill:          "gen_ai.latency.time_in_model_prefill",
		Decode:           "gen_ai.latency.time_in_model_decode",
		FirstToken:       "gen_ai.latency.time_to_first_token",
		EndToEnd:         "gen_ai.latency.e2e",
		PromptTokens:     "gen_ai.usage.prompt_tokens",
		CompletionTokens: "gen_ai.usage.completion_tokens",
		Sequences:        "gen_ai.request.n",
		Logprobs:         "gen_ai.request.logprobs",
		RequestID:        "gen_ai.request.id",
	}
}

// conventional are the attributes of the semantic conventions for generative AI,
// with the latencies that some servers add to them.
func conventional() FieldsConfig {
	fields := genAI()
	fields.PromptTokens = "gen_ai.usage.input_tokens"
	fields.CompletionTokens = "gen_ai.usage.output_tokens"
	fields.Sequences = "gen_ai.request.choice.count"
	return fields
}

// defaultRules are the built-in rules, the most particular first. The last two
// take any span of generative AI that was not made by a client.
func defaultRules() []RuleConfig {
	return []RuleConfig{
		{
			Name:   "vllm",
			Scopes: []string{"vllm.tracing.otel", "vllm.llm_engine"}, // from 0.16 on, and before
			Spans:  []string{"llm_request"},
			Fields: genAI(),
		},
		{
			// The span of a scheduler's thread, which launches.
			Name:       "sglang_thread",
			Scopes:     []string{"sglang server"},
			Spans:      []string{"*Scheduler*(host:* | pid:*)"},
			Attributes: []string{"host_id", "pid", "thread_label"},
			Fields:     FieldsConfig{HostID: "host_id", ThreadID: "pid"},
		},
		{
			// The whole request; its schedulers' spans show the stalls.
			Name:       "sglang",
			Scopes:     []string{"sglang server"},
			Spans:      []string{"*Req *"},
			Attributes: []string{"rid", "module"},
			Fields:     genAI(),
			Detail:     DetailSummary,
		},
		{
			Name:   "tensorrt_llm",
			Scopes: []string{"trt.llm"},
			Spans:  []string{"llm_request"},
			Fields: genAI(),
		},
		{
			Name:       "triton",
			Spans:      []string{"InferRequest"},
			Attributes: []string{"triton.model_name"},
			Fields:     FieldsConfig{RequestID: "triton.request_id"},
		},
		{
			Name:       "gen_ai_latency",
			Kinds:      []string{"server", "internal", "consumer", "unspecified"},
			Attributes: []string{"gen_ai.latency.*"},
			Fields:     genAI(),
		},
		{
			Name:       "gen_ai",
			Kinds:      []string{"server", "internal", "consumer", "unspecified"},
			Attributes: []string{"gen_ai.*"},
			Fields:     conventional(),
		},
	}
}
