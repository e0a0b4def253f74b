//! One RPC as the gateway sees it: its names, its messages, and what our options say about it.

use std::sync::{Arc, OnceLock};

use prost_reflect::{DynamicMessage, FieldDescriptor, MessageDescriptor, MethodDescriptor};

use crate::codec::{Codec, MessageId, RenderError};
use crate::event_id::EventId;
use crate::options::{self, Marks};
use crate::settings::RouteSettings;
use crate::settings::field_status::{self, ByField};

/// One RPC of the schema, bound to REST or not.
#[derive(Debug, Clone)]
pub struct Method {
    descriptor: MethodDescriptor,
    grpc_path: String,
    success_code: u16,
    status_by_field: Vec<ByField>,
    settings: Arc<RouteSettings>,
    sse_id: Option<EventId>,
    sse_last_event_id_field: Option<FieldDescriptor>,
    idempotency_key_field: Option<FieldDescriptor>,
    streams: Streams,
    /// The messages in the plans of the schema's codec, looked up once: by name, which takes longer than most else of a
    /// call that is done with them.
    input_id: OnceLock<Option<MessageId>>,
    output_id: OnceLock<Option<MessageId>>,
}

/// Who sends a stream.
#[derive(Debug, Clone, Copy)]
struct Streams {
    server: bool,
    client: bool,
}

impl Method {
    /// Of an RPC with its options, which are decoded anew each time a descriptor is asked for them.
    ///
    /// # Errors
    /// What is wrong with the setting `status_by_field`.
    pub(crate) fn new(
        descriptor: MethodDescriptor,
        declared: &DynamicMessage,
        marks: &Marks,
        settings: Arc<RouteSettings>,
    ) -> Result<Self, String> {
        let by_field = settings.status_by_field.iter();
        let by_field = by_field.map(|setting| {
            let found = ByField::of(&descriptor.output(), setting);
            found.map_err(|problem| format!("`{setting}`: {problem}"))
        });
        let status_by_field = by_field.collect::<Result<_, _>>()?;
        let grpc_path = format!("/{}/{}", descriptor.parent_service().full_name(), descriptor.name());
        let success_code = options::status(declared, options::SUCCESS_CODE).filter(|code| *code < 300);
        Ok(Self {
            grpc_path,
            success_code: settings.success_code.or(success_code).unwrap_or(200),
            status_by_field,
            settings,
            sse_id: marks.field(&descriptor.output(), options::SSE_ID).map(EventId::new),
            sse_last_event_id_field: marks.field(&descriptor.input(), options::SSE_LAST_EVENT_ID),
            idempotency_key_field: marks.field(&descriptor.input(), options::IDEMPOTENCY_KEY),
            streams: Streams {
                server: descriptor.is_server_streaming(),
                client: descriptor.is_client_streaming(),
            },
            input_id: OnceLock::new(),
            output_id: OnceLock::new(),
            descriptor,
        })
    }

    /// `package.Service/Method`, as metrics and logs name it.
    pub fn full_name(&self) -> &str {
        &self.grpc_path[1..]
    }

    /// `/package.Service/Method`, the path of the gRPC request.
    pub fn grpc_path(&self) -> &str {
        &self.grpc_path
    }

    /// Whether the server answers with a stream.
    pub fn server_streaming(&self) -> bool {
        self.streams.server
    }

    /// Whether the client sends a stream.
    pub fn client_streaming(&self) -> bool {
        self.streams.client
    }

    /// HTTP status of a success over REST: 200 unless an override or the method's `success_code` says another 2xx.
    pub fn success_code(&self) -> u16 {
        self.success_code
    }

    /// HTTP status of a unary answer over REST: the method's, unless the setting `status_by_field` has another for it.
    pub fn status_of(&self, message: &[u8]) -> u16 {
        if self.status_by_field.is_empty() {
            return self.success_code;
        }
        field_status::status_of(&self.status_by_field, self.output(), message).unwrap_or(self.success_code)
    }

    /// The HTTP statuses that the setting `status_by_field` can make of an answer.
    pub(crate) fn statuses_by_field(&self) -> impl Iterator<Item = u16> {
        self.status_by_field.iter().map(|by| by.status)
    }

    /// How its routes read, write and are limited.
    pub fn settings(&self) -> &RouteSettings {
        &self.settings
    }

    /// The field of each answer that is its SSE `id`.
    pub fn sse_id_field(&self) -> Option<&FieldDescriptor> {
        self.sse_id.as_ref().map(EventId::field)
    }

    /// Writes the SSE `id` of an answer, which is UTF-8, into `id`, in the place of what it has. False if the method
    /// declares none, or the answer has none that can be one; what `id` then has says nothing.
    pub fn put_sse_id(&self, message: &[u8], id: &mut Vec<u8>) -> bool {
        self.sse_id.as_ref().is_some_and(|of| of.put(message, id))
    }

    /// The field of the request that takes `Last-Event-ID`; without one a stream cannot be resumed.
    pub fn sse_last_event_id_field(&self) -> Option<&FieldDescriptor> {
        self.sse_last_event_id_field.as_ref()
    }

    /// The field of the request that takes the header `Idempotency-Key`.
    pub fn idempotency_key_field(&self) -> Option<&FieldDescriptor> {
        self.idempotency_key_field.as_ref()
    }

    /// The request message.
    pub fn input(&self) -> MessageDescriptor {
        self.descriptor.input()
    }

    /// The answer, or each message of it.
    pub fn output(&self) -> MessageDescriptor {
        self.descriptor.output()
    }

    /// The request message in the plans of its schema.
    pub(crate) fn input_id(&self, codec: &Codec) -> Option<MessageId> {
        *self.input_id.get_or_init(|| codec.id(&self.input()))
    }

    /// Writes an answer, or one field of it, as JSON at the end of `out`; `codec` is its schema's.
    ///
    /// # Errors
    /// As [`Codec::wire_to_json`].
    pub(crate) fn render(
        &self,
        codec: &Codec,
        field: Option<&FieldDescriptor>,
        message: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), RenderError> {
        match *self.output_id.get_or_init(|| codec.id(&self.output())) {
            Some(id) => codec.write(self.settings.write, id, field, message, out),
            None => codec.wire_to_json_with(self.settings.write, &self.output(), field, message, out),
        }
    }

    /// The descriptor, for everything else (comments, foreign options).
    pub fn descriptor(&self) -> &MethodDescriptor {
        &self.descriptor
    }
}
