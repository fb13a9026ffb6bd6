"""What happens beside training: records, checkpoints, samples, evaluation, profiling; each one a `hook.Hook`."""
