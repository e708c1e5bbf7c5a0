package main

import (
	"reflect"
	"strings"
	"testing"
)

func TestCountWords(t *testing.T) {
	got, err := countWords(strings.NewReader("the crane lifts The beam"))
	if err != nil {
		t.Fatal(err)
	}
	want := []count{{"the", 2}, {"beam", 1}, {"crane", 1}, {"lifts", 1}}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, want %v", got, want)
	}
}
