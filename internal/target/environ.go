package target

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/gpucause/gpucause/internal/event"
)

// Bounds on the resource attributes taken from a process's environment.
const (
	maxAttributes     = 64
	maxAttributeKey   = 128 // bytes
	maxAttributeValue = 1024
)

var errAttributes = errors.New("invalid OTEL_RESOURCE_ATTRIBUTES")

// Service is how a process names itself to OpenTelemetry.
type Service struct {
	Name, Namespace, InstanceID string
}

// declared are the only variables ever taken from a process's environment.
type declared struct {
	serviceName        string
	resourceAttributes string
}

// parseEnviron picks OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES out of
// zero-terminated variables. As for getenv, the first of a name counts.
func parseEnviron(environ string) declared {
	var d declared
	for variable := range strings.SplitSeq(environ, "\x00") {
		name, value, _ := strings.Cut(variable, "=")
		switch name {
		case "OTEL_SERVICE_NAME":
			d.serviceName = orElse(d.serviceName, value)
		case "OTEL_RESOURCE_ATTRIBUTES":
			d.resourceAttributes = orElse(d.resourceAttributes, value)
		}
	}
	return d
}

// resource returns what the variables declare. OTEL_SERVICE_NAME wins over
// service.name; attributes with any error in them are discarded together
// (OpenTelemetry specification, resource SDK).
func (d declared) resource() (Service, map[string]string, error) {
	attributes, err := parseAttributes(d.resourceAttributes)
	service := Service{
		Name:       orElse(safeValue(d.serviceName), attributes["service.name"]),
		Namespace:  attributes["service.namespace"],
		InstanceID: attributes["service.instance.id"],
	}
	delete(attributes, "service.name")
	delete(attributes, "service.namespace")
	delete(attributes, "service.instance.id")
	return service, attributes, err
}

// parseAttributes reads key1=value1,key2=value2 with percent-encoding.
func parseAttributes(text string) (map[string]string, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	attributes := make(map[string]string)
	for pair := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		key, value, err := parseAttribute(pair)
		if err != nil {
			return nil, err
		}
		if attributes[key] = value; len(attributes) > maxAttributes {
			return nil, fmt.Errorf("%w: too many", errAttributes)
		}
	}
	return attributes, nil
}

func parseAttribute(pair string) (key, value string, err error) {
	rawKey, rawValue, ok := strings.Cut(pair, "=")
	if !ok {
		return "", "", fmt.Errorf("%w: no value", errAttributes)
	}
	key, err = url.PathUnescape(strings.TrimSpace(rawKey))
	if err != nil || key == "" || len(key) > maxAttributeKey {
		return "", "", fmt.Errorf("%w: key", errAttributes)
	}
	value, err = url.PathUnescape(strings.TrimSpace(rawValue))
	if err != nil {
		return "", "", fmt.Errorf("%w: value", errAttributes)
	}
	return event.Clean(key), safeValue(value), nil
}

// safeValue makes text from a process's environment safe to show, and short.
func safeValue(s string) string { return event.CleanWithin(s, maxAttributeValue) }
