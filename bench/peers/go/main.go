// River on Postgres: measure prepare | work | enqueue COUNT.
package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

const (
	batch = 500
	lanes = 4
)

type measureArgs struct {
	Payload string `json:"payload"`
}

func (measureArgs) Kind() string { return "measure" }

type worker struct {
	river.WorkerDefaults[measureArgs]
	cell  []byte
	count atomic.Int64
}

// Work counts one execution in a file: 8 bytes of count, 8 bytes of the moment of the newest one.
func (w *worker) Work(ctx context.Context, job *river.Job[measureArgs]) error {
	_ = len(job.Args.Payload)
	binary.LittleEndian.PutUint64(w.cell[8:], uint64(time.Now().UnixNano()))
	binary.LittleEndian.PutUint64(w.cell, uint64(w.count.Add(1)))
	return nil
}

func openCell() []byte {
	file, err := os.Create(filepath.Join(os.Getenv("PEER_TALLY"), strconv.Itoa(os.Getpid())+".cell"))
	check(err)
	check(file.Truncate(16))
	cell, err := syscall.Mmap(int(file.Fd()), 0, 16, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED)
	check(err)
	return cell
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func say(name string) { fmt.Printf("{\"%s\": %d}\n", name, time.Now().UnixNano()) }

func work(ctx context.Context, pool *pgxpool.Pool) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	workers := river.NewWorkers()
	river.AddWorker(workers, &worker{cell: openCell()})
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{
		Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
		// What River's own benchmark uses.
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 2000}},
		Workers:           workers,
	})
	check(err)
	check(client.Start(ctx))
	<-ctx.Done()
	_ = client.Stop(context.Background())
}

func enqueue(ctx context.Context, pool *pgxpool.Pool, count int) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{})
	check(err)
	payload := strings.Repeat("p", 100)
	// As with everybody: what is handed in is made before the clock starts, and encoded after.
	batches := make(chan []river.InsertManyParams, (count+batch-1)/batch)
	for left := count; left > 0; left -= batch {
		params := make([]river.InsertManyParams, min(batch, left))
		for i := range params {
			params[i] = river.InsertManyParams{Args: measureArgs{payload}}
		}
		batches <- params
	}
	close(batches)
	say("first_ns")
	var group sync.WaitGroup
	for range lanes {
		group.Add(1)
		go func() {
			defer group.Done()
			for params := range batches {
				_, err := client.InsertManyFast(ctx, params)
				check(err)
			}
		}()
	}
	group.Wait()
	say("last_ns")
}

func main() {
	ctx := context.Background()
	config, err := pgxpool.ParseConfig(os.Getenv("PEER_POSTGRES"))
	check(err)
	config.MaxConns = 20
	pool, err := pgxpool.NewWithConfig(ctx, config)
	check(err)
	defer pool.Close()
	switch os.Args[1] {
	case "prepare":
		migrator, err := rivermigrate.New[pgx.Tx](riverpgxv5.New(pool), nil)
		check(err)
		_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		check(err)
	case "work":
		work(ctx, pool)
	case "enqueue":
		count, err := strconv.Atoi(os.Args[2])
		check(err)
		enqueue(ctx, pool, count)
	}
}
