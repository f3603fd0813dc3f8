package push

// Remedied adds to an error what an operator can do about it: at the end of its
// text, and alone by Hint. Without a remedy the error stays as it is.
func Remedied(err error, remedy string) error {
	if err == nil || remedy == "" {
		return err
	}
	return &remedied{err, remedy}
}

type remedied struct {
	error
	remedy string
}

func (r *remedied) Error() string { return r.error.Error() + "; " + r.remedy }
func (r *remedied) Unwrap() error { return r.error }
func (r *remedied) Hint() string  { return r.remedy }
