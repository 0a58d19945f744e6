package sink

import (
	"fmt"
	"slices"
	"strings"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// Shape is all of a resource and its spans but ids, times and values, as text: what
// must be the same for two emitters. Resource attributes are in order of their keys, as
// their order means nothing.
func Shape(spans *tracepb.ResourceSpans) string {
	var b strings.Builder
	resource := keysAndTypes(spans.GetResource().GetAttributes())
	slices.Sort(resource)
	fmt.Fprintf(&b, "resource %q\n%s", spans.GetSchemaUrl(), strings.Join(resource, ""))
	for _, scope := range spans.GetScopeSpans() {
		fmt.Fprintf(&b, "scope %q %q %q\n", scope.GetScope().GetName(), scope.GetScope().GetVersion(), scope.GetSchemaUrl())
		for _, span := range scope.GetSpans() {
			fmt.Fprintf(&b, "span %q %s, flags %d, parent %t, state %q, status %s %q, %d events, %d links\n%s", span.GetName(), span.GetKind(),
				span.GetFlags(), len(span.GetParentSpanId()) > 0, span.GetTraceState(), span.GetStatus().GetCode(), span.GetStatus().GetMessage(),
				len(span.GetEvents()), len(span.GetLinks()), strings.Join(keysAndTypes(span.GetAttributes()), ""))
		}
	}
	return b.String()
}

func keysAndTypes(attributes []*commonpb.KeyValue) []string {
	var all []string
	for _, a := range attributes {
		all = append(all, fmt.Sprintf("  %s %T\n", a.GetKey(), a.GetValue().GetValue()))
	}
	return all
}

// Attributes is what the attributes are, by key: texts, integers and floats.
func Attributes(attributes []*commonpb.KeyValue) map[string]any {
	all := make(map[string]any)
	for _, a := range attributes {
		switch value := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			all[a.GetKey()] = value.StringValue
		case *commonpb.AnyValue_IntValue:
			all[a.GetKey()] = value.IntValue
		case *commonpb.AnyValue_DoubleValue:
			all[a.GetKey()] = value.DoubleValue
		default:
			all[a.GetKey()] = value
		}
	}
	return all
}
