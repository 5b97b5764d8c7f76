// Runs the checks of one JSON job with go-mssqldb and prints what it saw as one JSON document.
//
// The job file is the first argument: {client, host, port, read_only_port, ca_file, user, password, database, work_dir, checks}.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	mssql "github.com/microsoft/go-mssqldb"
)

type job struct {
	Client       string           `json:"client"`
	Host         string           `json:"host"`
	Port         int              `json:"port"`
	ReadOnlyPort int              `json:"read_only_port"`
	CAFile       string           `json:"ca_file"`
	User         string           `json:"user"`
	Password     string           `json:"password"`
	Database     string           `json:"database"`
	Checks       map[string]check `json:"checks"`
}

type check struct {
	Mode          string `json:"mode"`
	ReadOnly      bool   `json:"read_only"`
	WrongPassword bool   `json:"wrong_password"`
	Database      string `json:"database"`
	Steps         []step `json:"steps"`
}

type step struct {
	Do       string       `json:"do"`
	SQL      string       `json:"sql"`
	Params   [][2]*string `json:"params"`
	AfterMS  int64        `json:"after_ms"`
	WithinMS int64        `json:"within_ms"`
}

// What a step gave, in the notation of runner/checks.py.
type outcome map[string]any

type examined struct {
	Connect outcome   `json:"connect"`
	Steps   []outcome `json:"steps"`
}

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var todo job
	if err := json.Unmarshal(text, &todo); err != nil {
		return err
	}
	outcomes := make(map[string]examined, len(todo.Checks))
	for id, check := range todo.Checks {
		outcomes[id] = examine(todo, check)
	}
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"client": todo.Client, "version": version(), "outcomes": outcomes})
}

func version() string {
	if build, ok := debug.ReadBuildInfo(); ok {
		for _, module := range build.Deps {
			if module.Path == "github.com/microsoft/go-mssqldb" {
				return "go-mssqldb " + module.Version
			}
		}
	}
	return "go-mssqldb"
}

// One check, on a connection of its own.
func examine(todo job, check check) examined {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	session, err := connect(ctx, todo, check)
	if err != nil {
		return examined{failed(err), []outcome{}}
	}
	defer session.close()
	steps := []outcome{}
	for _, step := range check.Steps {
		seen, err := perform(ctx, session, step)
		if err != nil {
			seen = failed(err)
		}
		steps = append(steps, seen)
	}
	return examined{outcome{"done": true}, steps}
}

// One step; see runner/checks.py for the verbs. This driver panics at what it does not understand; that is an outcome too.
func perform(ctx context.Context, session *session, step step) (seen outcome, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	done := outcome{"done": true}
	switch step.Do {
	case "begin":
		return done, session.begin(ctx)
	case "commit":
		return done, session.end((*tx).Commit)
	case "rollback":
		return done, session.end((*tx).Rollback)
	case "cancel", "timeout":
		return interrupted(ctx, session, step)
	case "execute":
		return session.execute(ctx, step)
	case "query":
		return session.query(ctx, step)
	}
	return nil, fmt.Errorf("unknown step %q", step.Do)
}

// Runs a statement that must be stopped through its context, and says whether it was stopped in time.
func interrupted(ctx context.Context, session *session, step step) (outcome, error) {
	after := time.Duration(step.AfterMS) * time.Millisecond
	limited, cancel := context.WithCancel(ctx)
	want := context.Canceled
	if step.Do == "timeout" {
		limited, cancel = context.WithTimeout(ctx, after)
		want = context.DeadlineExceeded
	} else {
		time.AfterFunc(after, cancel)
	}
	defer cancel()
	started := time.Now()
	err := session.stopped(limited, step.SQL)
	elapsed := time.Since(started).Milliseconds()
	if err != nil && !errors.Is(err, want) {
		return nil, err
	}
	inTime := elapsed >= step.AfterMS-50 && elapsed <= step.WithinMS
	return outcome{"interrupted": err != nil, "in_time": inTime}, nil
}

// The outcome of a step that gave an error: the server's number if it has one.
func failed(err error) outcome {
	var server mssql.Error
	if errors.As(err, &server) && server.Number > 0 {
		return outcome{"error": server.Number, "message": server.Message}
	}
	return outcome{"failure": err.Error()}
}
