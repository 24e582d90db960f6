//! Telling observers what happens to a call. Without observers it costs a look at an empty list.

use crate::{GatewayError, RequestContext, gateway::Parts};
use gateway_domain::{ModelCall, Operation, RequestId};
use gateway_ports::{
    Observer, Routing,
    observer::{CallSeen, OTHER, Refused},
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// All observers of a gateway.
#[derive(Clone, Debug, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: Arc<dyn Observer>) {
        self.0.push(observer);
    }

    /// Tells each. One that panics is logged: it must harm neither the call nor the others.
    pub(crate) fn tell(&self, event: impl Fn(&(dyn Observer + 'static))) {
        for observer in &self.0 {
            if catch_unwind(AssertUnwindSafe(|| event(&**observer))).is_err() {
                tracing::error!("an observer panicked");
            }
        }
    }
}

impl Parts {
    /// What observers are told of a call; `None` if there are none.
    pub(crate) fn seen(
        &self,
        request_id: &RequestId,
        call: &ModelCall,
        routing: &Routing,
    ) -> Option<Arc<CallSeen>> {
        if self.observers.0.is_empty() {
            return None;
        }
        let entry = routing.channels.iter().find_map(|channel| channel.entry(&call.model));
        Some(Arc::new(CallSeen {
            request_id: request_id.clone(),
            operation: call.operation,
            model: call.model.as_str().to_owned(),
            served_as: entry.unwrap_or(OTHER).to_owned(),
            stream: call.stream,
        }))
    }

    /// A call or a key was not let in.
    pub(crate) fn refused(
        &self,
        operation: Option<Operation>,
        context: &RequestContext,
        error: &GatewayError,
    ) {
        self.observers.tell(|observer| {
            observer.refused(&Refused {
                request_id: &context.request_id,
                operation,
                code: &error.code,
                status: error.kind.status(),
            });
        });
    }
}
