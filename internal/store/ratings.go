package store

import (
	"context"
	"iter"

	"github.com/rung-dev/rung"
)

// Ratings keeps what people say about answers. It is part of Store; judges that are calibrated against people need no more.
type Ratings interface {
	// PutRatingQueue keeps a queue under its name. Another queue of that name is a CodeConflict; the same one changes nothing.
	PutRatingQueue(ctx context.Context, q *rung.RatingQueue) error
	// RatingQueue finds a queue by its name, or by a beginning of it that only one has.
	RatingQueue(ctx context.Context, name string) (*rung.RatingQueue, error)
	// RatingQueues gives the newest queues first; of all tasks when task is empty.
	RatingQueues(ctx context.Context, task string) ([]*rung.RatingQueue, error)

	// TakeRatingSeat gives the seat of a rater in a queue: the one that was taken before, the one that the queue keeps for this
	// rater, else the first free one. When all are taken, seats follow that the queue does not have (len(q.Seats) and above).
	TakeRatingSeat(ctx context.Context, queue, rater string) (seat int, err error)

	// RatingSeats gives the seats that were taken: rater → seat.
	RatingSeats(ctx context.Context, queue string) (map[string]int, error)

	// PutRating adds r and gives it its Seq. Nothing is replaced.
	PutRating(ctx context.Context, r rung.Rating) (rung.Rating, error)
	// PutRatings adds ratings, all or none, in their order.
	PutRatings(ctx context.Context, rs []rung.Rating) error
	// Ratings gives the ratings that count, in the order of their Seq: the last of each rater, role and item, withdrawn ones left
	// out (all of them with f.All). It reads them piece by piece; the loop may call the store.
	Ratings(ctx context.Context, f RatingFilter) iter.Seq2[rung.Rating, error]
}

// RatingFilter chooses ratings. The zero value is all that count.
type RatingFilter struct {
	Task  string
	Queue string
	Rater string
	Role  rung.RatingRole
	All   bool  // also what was replaced or withdrawn
	After int64 // only those with a greater Seq
}
