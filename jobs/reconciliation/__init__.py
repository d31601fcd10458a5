"""`reconcile`: what was streamed, downloaded, archived and published agrees, or says why not."""
