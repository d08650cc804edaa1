"""What changes objects by itself: the scheduler, the job controller, the garbage collector, the life of nodes."""
