package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/google/go-jsonnet"
)

// evaluateJsonnet answers the documents of a program: an array is a stream of them, anything else is one.
func evaluateJsonnet(request Request) ([]json.RawMessage, *Failure) {
	vm := jsonnet.MakeVM()
	vm.Importer(noImports{})
	for key, value := range request.Context.Repo {
		vm.ExtVar("repo."+key, asWord(value))
	}
	for key, value := range request.Context.Build {
		if parameters, isMap := value.(map[string]any); isMap {
			for name, given := range parameters {
				vm.ExtVar("build."+key+"."+name, asWord(given))
			}
			continue
		}
		vm.ExtVar("build."+key, asWord(value))
	}
	output, err := vm.EvaluateAnonymousSnippet(request.Path, request.Text)
	if err != nil {
		return nil, jsonnetFailure(err)
	}
	text := bytes.TrimSpace([]byte(output))
	if len(text) == 0 || text[0] != '[' {
		return []json.RawMessage{text}, nil
	}
	var documents []json.RawMessage
	if err := json.Unmarshal(text, &documents); err != nil {
		return nil, &Failure{Message: err.Error()}
	}
	return documents, nil
}

// asWord writes a value as an external variable of Jsonnet, which are all strings.
func asWord(value any) string {
	if word, isWord := value.(string); isWord {
		return word
	}
	return fmt.Sprint(value)
}

// noImports refuses every import: a pipeline file is one text, and whatever it names is not in it.
type noImports struct{}

func (noImports) Import(_, path string) (jsonnet.Contents, string, error) {
	return jsonnet.Contents{}, "", errors.New("\"" + path + "\" is not there: a pipeline file imports nothing")
}

var jsonnetPosition = regexp.MustCompile(`:\(?(\d+):(\d+)`)

// jsonnetFailure takes the first position that the evaluator's message has, and its first line.
func jsonnetFailure(err error) *Failure {
	text := err.Error()
	failure := &Failure{Message: firstLine(text)}
	if place := jsonnetPosition.FindStringSubmatch(text); place != nil {
		failure.Line, _ = strconv.Atoi(place[1])
		failure.Column, _ = strconv.Atoi(place[2])
	}
	// A syntax error is told behind its place.
	if place := jsonnetPosition.FindStringIndex(failure.Message); place != nil {
		rest := regexp.MustCompile(`^\)?(-[\d:()]+)?\s*`).ReplaceAllString(failure.Message[place[1]:], "")
		if rest != "" {
			failure.Message = rest
		}
	}
	return failure
}

func firstLine(text string) string {
	line, _, _ := bytes.Cut([]byte(text), []byte("\n"))
	return string(line)
}
