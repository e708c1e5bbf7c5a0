package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"sort"

	"go.starlark.net/resolve"
	"go.starlark.net/starlark"
	"go.starlark.net/starlarkstruct"
	"go.starlark.net/syntax"
)

// maxSteps stops a program that loops; a large real one takes half a million.
const maxSteps = 5_000_000

// maxDepth stops a value that holds itself.
const maxDepth = 100

// evaluateStarlark calls the program's main(ctx): a list is a stream of documents, a dict is one.
func evaluateStarlark(request Request) ([]json.RawMessage, *Failure) {
	thread := &starlark.Thread{
		Name:  request.Path,
		Load:  refuseLoad,
		Print: func(*starlark.Thread, string) {},
	}
	thread.SetMaxExecutionSteps(maxSteps)
	globals, err := starlark.ExecFileOptions(&syntax.FileOptions{}, thread, request.Path, request.Text, nil)
	if err != nil {
		return nil, starlarkFailure(err)
	}
	main, isFunction := globals["main"].(starlark.Callable)
	if !isFunction {
		return nil, &Failure{Message: "it has no function main(ctx)"}
	}
	context := starlarkstruct.FromStringDict(starlark.String("context"), starlark.StringDict{
		"repo":  asStruct("repo", request.Context.Repo),
		"build": asStruct("build", request.Context.Build),
		"input": starlark.NewDict(0),
	})
	value, err := starlark.Call(thread, main, starlark.Tuple{context}, nil)
	if err != nil {
		return nil, starlarkFailure(err)
	}
	return documentsOf(value, request.MaxBytes)
}

func refuseLoad(_ *starlark.Thread, module string) (starlark.StringDict, error) {
	return nil, errors.New("\"" + module + "\" is not there: a pipeline file loads nothing")
}

func asStruct(name string, values map[string]any) starlark.Value {
	members := starlark.StringDict{}
	for key, value := range values {
		members[key] = asStarlark(value)
	}
	return starlarkstruct.FromStringDict(starlark.String(name), members)
}

func asStarlark(value any) starlark.Value {
	switch value := value.(type) {
	case string:
		return starlark.String(value)
	case bool:
		return starlark.Bool(value)
	case map[string]any:
		names := make([]string, 0, len(value))
		for name := range value {
			names = append(names, name)
		}
		sort.Strings(names)
		dict := starlark.NewDict(len(value))
		for _, name := range names {
			// A new dict of strings takes every key.
			_ = dict.SetKey(starlark.String(name), asStarlark(value[name]))
		}
		return dict
	default:
		return starlark.None
	}
}

func documentsOf(value starlark.Value, maxBytes int) ([]json.RawMessage, *Failure) {
	switch value := value.(type) {
	case *starlark.Dict:
		document, err := writeJSON(value, maxBytes)
		if err != nil {
			return nil, &Failure{Message: err.Error()}
		}
		return []json.RawMessage{document}, nil
	case *starlark.List:
		documents := []json.RawMessage{}
		rest := maxBytes
		for i := range value.Len() {
			document, err := writeJSON(value.Index(i), rest)
			if err != nil {
				return nil, &Failure{Message: err.Error()}
			}
			rest -= len(document)
			documents = append(documents, document)
		}
		return documents, nil
	default:
		return nil, &Failure{Message: fmt.Sprintf("main returns a %s: a dict is one document, a list several", value.Type())}
	}
}

// starlarkFailure names the innermost place in the program: what a built-in function refuses, its caller wrote.
func starlarkFailure(err error) *Failure {
	failure := &Failure{Message: err.Error()}
	var syntaxError syntax.Error
	var resolveErrors resolve.ErrorList
	var evaluation *starlark.EvalError
	switch {
	case errors.As(err, &syntaxError):
		failure.Message, failure.Line, failure.Column = syntaxError.Msg, int(syntaxError.Pos.Line), int(syntaxError.Pos.Col)
	case errors.As(err, &resolveErrors) && len(resolveErrors) > 0:
		first := resolveErrors[0]
		failure.Message, failure.Line, failure.Column = first.Msg, int(first.Pos.Line), int(first.Pos.Col)
	case errors.As(err, &evaluation):
		failure.Message = evaluation.Msg
		for i := range evaluation.CallStack {
			place := evaluation.CallStack.At(i).Pos
			if place.Line > 0 && place.Filename() != "<builtin>" {
				failure.Line, failure.Column = int(place.Line), int(place.Col)
				break
			}
		}
	}
	return failure
}

// writeJSON writes a value in the order that its dicts have.
func writeJSON(value starlark.Value, maxBytes int) (json.RawMessage, error) {
	writer := &jsonWriter{maxBytes: maxBytes}
	if err := writer.write(value, 0); err != nil {
		return nil, err
	}
	return writer.text, nil
}

type jsonWriter struct {
	text     []byte
	maxBytes int
}

func (w *jsonWriter) write(value starlark.Value, depth int) error {
	if depth > maxDepth {
		return errors.New("what main returns is nested too deep")
	}
	if len(w.text) > w.maxBytes {
		return errors.New(tooLarge(w.maxBytes).Message)
	}
	switch value := value.(type) {
	case starlark.NoneType:
		w.text = append(w.text, "null"...)
	case starlark.Bool:
		w.text = fmt.Appendf(w.text, "%t", bool(value))
	case starlark.Int:
		w.text = append(w.text, value.String()...)
	case starlark.Float:
		if math.IsInf(float64(value), 0) || math.IsNaN(float64(value)) {
			return fmt.Errorf("main returns the number %v, which no document can hold", value)
		}
		return w.append(float64(value))
	case starlark.String:
		return w.append(string(value))
	case starlark.IterableMapping:
		return w.writeMapping(value, depth)
	case starlark.Iterable:
		return w.writeSequence(value, depth)
	default:
		return fmt.Errorf("main returns a %s, which no document can hold", value.Type())
	}
	return nil
}

func (w *jsonWriter) append(value any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	w.text = append(w.text, bytes.TrimSuffix(text.Bytes(), []byte("\n"))...)
	return err
}

func (w *jsonWriter) writeMapping(mapping starlark.IterableMapping, depth int) error {
	w.text = append(w.text, '{')
	for i, item := range mapping.Items() {
		key, isString := item[0].(starlark.String)
		if !isString {
			return fmt.Errorf("main returns a dict with a key that is a %s: keys are strings", item[0].Type())
		}
		if i > 0 {
			w.text = append(w.text, ',')
		}
		if err := w.append(string(key)); err != nil {
			return err
		}
		w.text = append(w.text, ':')
		if err := w.write(item[1], depth+1); err != nil {
			return err
		}
	}
	w.text = append(w.text, '}')
	return nil
}

func (w *jsonWriter) writeSequence(sequence starlark.Iterable, depth int) error {
	iterator := sequence.Iterate()
	defer iterator.Done()
	w.text = append(w.text, '[')
	var value starlark.Value
	for i := 0; iterator.Next(&value); i++ {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		if err := w.write(value, depth+1); err != nil {
			return err
		}
	}
	w.text = append(w.text, ']')
	return nil
}

func tooLarge(maxBytes int) *Failure {
	return &Failure{Message: fmt.Sprintf("it makes more than %d bytes of documents", maxBytes)}
}
