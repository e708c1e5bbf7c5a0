// Convert turns a pipeline program (Jsonnet or Starlark) into the text that it stands for: documents of JSON, each
// behind a line "---". It reads one Request as JSON from its standard input and writes one Answer to its standard
// output. It opens no file and no connection, and has no environment: it is compiled to WebAssembly and run by a host
// that offers neither.
package main

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
)

// Request is what the host asks for.
type Request struct {
	Language string  `json:"language"` // "jsonnet" or "starlark"
	Path     string  `json:"path"`     // for messages
	Text     string  `json:"text"`
	Context  Context `json:"context"`
	// MaxBytes limits the documents as they are answered.
	MaxBytes int `json:"maxBytes"`
}

// Context is what a program may ask about its event and its project: words, flags and, once, a map of words.
type Context struct {
	Repo  map[string]any `json:"repo"`
	Build map[string]any `json:"build"`
}

// Answer holds the documents as one text, or why there are none.
type Answer struct {
	Text    string   `json:"text,omitempty"`
	Failure *Failure `json:"failure,omitempty"`
}

// Failure is what is wrong with a program, and where: lines and columns count from 1, and 0 says "not known".
type Failure struct {
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
}

func main() {
	var request Request
	input, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = json.Unmarshal(input, &request)
	}
	if err != nil {
		answer(Answer{Failure: &Failure{Message: err.Error()}})
		return
	}
	answer(convert(request))
}

func convert(request Request) Answer {
	evaluate := evaluateJsonnet
	if request.Language == "starlark" {
		evaluate = evaluateStarlark
	}
	documents, failure := evaluate(request)
	if failure != nil {
		return Answer{Failure: failure}
	}
	var text bytes.Buffer
	for _, document := range documents {
		text.WriteString("---\n")
		// One value per line, so that a message which names a line of it helps.
		if err := json.Indent(&text, document, "", " "); err != nil {
			return Answer{Failure: &Failure{Message: err.Error()}}
		}
		text.WriteString("\n")
		if text.Len() > request.MaxBytes {
			return Answer{Failure: tooLarge(request.MaxBytes)}
		}
	}
	return Answer{Text: text.String()}
}

func answer(answer Answer) {
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	// What is told is valid JSON by construction, and a host that no longer reads gets nothing.
	_ = encoder.Encode(answer)
}
