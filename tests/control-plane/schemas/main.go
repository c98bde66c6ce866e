// Command schemas reduces what a running API server publishes about its built-in kinds to the data of src/sandbox.
//
// In the folder given as first argument: apis.json, resources/*.json (one APIResourceList per group version, named by
// it) and openapi/*.json (OpenAPI v3 documents). Into the second: kinds.json.gz and descriptions.json.gz. What OpenAPI
// does not say, the Go type of a field and whether an empty value is left out, is read from the Go types themselves.
package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

const version = "1.37.2"

type object = map[string]any

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	definitions := object{}
	documents, err := filepath.Glob(filepath.Join(from, "openapi", "*.json"))
	if err != nil {
		return err
	}
	sort.Strings(documents)
	for _, document := range documents {
		var content struct {
			Components struct{ Schemas map[string]object }
		}
		if err := read(document, &content); err != nil {
			return err
		}
		for name, definition := range content.Components.Schemas {
			definitions[name] = definition
		}
	}
	types := goTypes()
	descriptions := object{}
	for name, definition := range definitions {
		texts := object{}
		reduce(definition.(object), types[name], "", texts)
		if len(texts) > 0 {
			descriptions[name] = texts
		}
	}
	var groups any
	if err := read(filepath.Join(from, "apis.json"), &groups); err != nil {
		return err
	}
	resources := object{}
	lists, err := filepath.Glob(filepath.Join(from, "resources", "*.json"))
	if err != nil {
		return err
	}
	for _, list := range lists {
		var content object
		if err := read(list, &content); err != nil {
			return err
		}
		resources[content["groupVersion"].(string)] = content["resources"]
	}
	header := "Kubernetes " + version + ", https://github.com/kubernetes/kubernetes, Apache-2.0"
	kinds := object{"source": header, "groups": groups.(object)["groups"], "resources": resources, "types": definitions}
	if err := write(filepath.Join(to, "kinds.json.gz"), kinds); err != nil {
		return err
	}
	return write(filepath.Join(to, "descriptions.json.gz"), object{"source": header, "texts": descriptions})
}

// reduce takes descriptions out of a schema, and notes the Go type of each field.
func reduce(schema object, goType reflect.Type, path string, texts object) {
	if text, found := schema["description"].(string); found {
		texts[path] = text
		delete(schema, "description")
	}
	fields := map[string]reflect.StructField{}
	if goType != nil && goType.Kind() == reflect.Struct {
		collect(goType, fields)
	}
	properties, _ := schema["properties"].(object)
	for name, property := range properties {
		reduce(property.(object), nil, path+"/"+name, texts)
		if field, found := fields[name]; found {
			property.(object)["x-go"] = describe(field)
		}
	}
	for _, key := range []string{"items", "additionalProperties"} {
		if inner, found := schema[key].(object); found {
			reduce(inner, nil, path+"/"+key, texts)
		}
	}
}

func describe(field reflect.StructField) string {
	text := field.Type.String()
	_, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	for _, option := range strings.Split(options, ",") {
		if option == "omitempty" || option == "omitzero" {
			text += "," + option
		}
	}
	return text
}

func collect(goType reflect.Type, fields map[string]reflect.StructField) {
	for index := range goType.NumField() {
		field := goType.Field(index)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		inner := field.Type
		if inner.Kind() == reflect.Pointer {
			inner = inner.Elem()
		}
		if name == "" && field.Anonymous && inner.Kind() == reflect.Struct {
			collect(inner, fields)
		} else if name != "" && name != "-" {
			fields[name] = field
		}
	}
}

// goTypes maps OpenAPI names to Go types, starting from all registered kinds.
func goTypes() map[string]reflect.Type {
	all := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{scheme.AddToScheme, apiextensions.AddToScheme, apiregistration.AddToScheme} {
		if err := add(all); err != nil {
			panic(err)
		}
	}
	found := map[string]reflect.Type{}
	var visit func(reflect.Type)
	visit = func(goType reflect.Type) {
		switch goType.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
			visit(goType.Elem())
		case reflect.Struct:
			name := definitionName(goType)
			if _, known := found[name]; known {
				return
			}
			found[name] = goType
			for index := range goType.NumField() {
				visit(goType.Field(index).Type)
			}
		}
	}
	for _, goType := range all.AllKnownTypes() {
		visit(goType)
	}
	return found
}

// definitionName turns k8s.io/api/apps/v1.Deployment into io.k8s.api.apps.v1.Deployment.
func definitionName(goType reflect.Type) string {
	host, path, _ := strings.Cut(goType.PkgPath(), "/")
	labels := strings.Split(host, ".")
	for left, right := 0, len(labels)-1; left < right; left, right = left+1, right-1 {
		labels[left], labels[right] = labels[right], labels[left]
	}
	return strings.Join(labels, ".") + "." + strings.ReplaceAll(path, "/", ".") + "." + goType.Name()
}

func read(file string, content any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, content)
}

func write(file string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	var packed bytes.Buffer
	writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err := writer.Write(text); err != nil {
		return err
	}
	if err := writer.Close(); err != nil {
		return err
	}
	fmt.Printf("%s: %d bytes, %d packed\n", file, len(text), packed.Len())
	return os.WriteFile(file, packed.Bytes(), 0o644)
}
